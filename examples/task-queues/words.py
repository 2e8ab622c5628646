"""The job."""


def count(text: str) -> dict:
    """How often each word stands in the text."""
    words = text.lower().split()
    return {word: words.count(word) for word in sorted(set(words))}


TEXT = "the quick brown fox jumps over the lazy dog"
EXPECTED = {"brown": 1, "dog": 1, "fox": 1, "jumps": 1, "lazy": 1, "over": 1, "quick": 1, "the": 2}
