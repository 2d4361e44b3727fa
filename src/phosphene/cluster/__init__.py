"""Parts of a work on several processes or machines, with the bytes of one.

    worker       what a worker is and does: a network of known weights, and a task at a time
    pool         what workers have in common: a task that fails is tried again
    processes    workers that are processes of this machine
    ray_actors   workers that are actors of a Ray cluster (extra `cluster`)
    crew         chooses between them

A task is data, such as the crop of a tile or the objectives of a batch of pictures; its result travels back.
"""
