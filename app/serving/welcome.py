"""What the first page says at its top. Imports nothing: the server sends it before anything is loaded."""

NAME = "FMD Studio"
QUESTION = "Is this classifier biased, who taught it that, and can we take it out?"
LEAD = (
    "Find out which attributes decide the answers of a classifier, look at the very pictures, records or texts that "
    "taught it, and unlearn the bias in seconds. Others, whom it never learned from, say what got better and worse."
)
