"""Steps of a deal that need more than a call of `exchange`: what they do, and what they say."""
