"""Model files: the only place of the package that reads, fetches and keeps them.

Model files are data: whatever the format, tensors are read and nothing in the file can run.

    package      what comes with phosphene itself
    store        the folder in which fetched files are kept, and what is known of each
    download     fetching a file, verified before use; archives
    wire, caffe, tensorflow, pytorch, safetensors     the formats; `read` picks the one that a file is in
    fit          tensors into a network, with the first that does not fit named
"""
