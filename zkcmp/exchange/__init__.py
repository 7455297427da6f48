"""Messages, private directories, and what seller and buyer do with them, step by step."""
