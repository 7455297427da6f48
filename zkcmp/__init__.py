"""Zero-knowledge contingent model payment: sell a trained network fairly, with no third party."""

__version__ = "0.0.1"
