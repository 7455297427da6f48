"""Mode `freivalds`: products and ranges by random checks, in two rounds."""
