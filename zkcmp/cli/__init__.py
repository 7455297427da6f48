"""The commands: options in, calls to `exchange`, words out."""
