"""The door for Hugging Face folders: classifiers of transformers, for pictures and for texts.

    files          a folder or zip, by names and sizes alone; its descriptions, read as JSON
    allowed        what a config.json may say: checks of values, what is refused, the one way to read it
    config         that of a classifier: which network, its settings, its classes
    preprocessing  preprocessor_config.json: how pictures are made ready
    tokenizer      tokenizer.json: which makes are followed, and how one is opened
    network        the library's own class with the weights, and its last layer taken off
    encoder        what the features of pictures and of texts have in common as an `Encoder`
    pictures       features of pictures
    texts          features of texts
    opening        a folder to a classifier and its passport, in the limited process

No code of a model's own is run: descriptions are read by lists of known words, weights can only be numbers, and
`trust_remote_code`, hub and pickles play no part. `fmd_core.language` opens language models by the same modules.
"""
