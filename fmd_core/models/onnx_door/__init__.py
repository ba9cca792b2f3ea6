"""The door for ONNX files, of any framework.

    checks      what a file must not try, before anything of it is run
    describing  what a file says of itself: its inputs, its outputs' names
    cutting     where its last linear layer lies: that becomes the head, what it reads the features
    export      the same file with another head, equal outside it
    runner      the process in which a file is opened and run, with limits on memory and time
    session     that process as this one sees it
    wire        how both talk
    encoder     the features as an `Encoder`, and what of a sample goes into which input
    columns     which columns of the data those are
    opening     a file to a classifier and its passport, and its head back to a file

Only the first five import onnx, and only in that process.
"""
