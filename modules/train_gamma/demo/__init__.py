"""The miniature world: drawn characters, their tags, and a small checkpoint trained on them."""
