"""Networks: from ONNX to integers and back, static bounds, quantisation, test sets."""
