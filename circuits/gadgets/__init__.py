"""Parts of a statement that need one round only: one gadget a file."""
