"""The studio: phosphene in the browser.

    app        the HTTP interface: pages, uploads, jobs, events
    requests   what is sent to it, and the recipes that it stands for
    answers    what is answered to a request that is wrong
    pages      the files in `static`
    contained  what a recipe that came over the network may use
    safety     who may ask: hosts, origins, tokens, sizes, and the headers of every answer
    folder     the studio's folder, which nothing leaves
    session    all that a running studio has
    certificate  its own, where other machines reach it
    records    jobs and sources in SQLite
    queue      which job runs, and what becomes of it
    helper     a process that does the queue's work, or looks at pictures, and its messages
    rendering  what the rendering process does
    looking    what the looking process does
    watching   what the process does that watches cameras; `cameras` asks it
    imagining  what the process does that makes tiles; `tiles` asks it
    variations branches and grids
    downloads  results in other forms, which `exports` makes
    form       the sliders of the pages, from the recipes' fields
    events     one stream of events for every page
    server     all of it together, until Ctrl-C

The server itself computes nothing and does not import torch: rendering, looking, watching and imagining have a process
each, the last two when they are first needed.
"""
