"""Tiles of a print on several processes or machines, with the bytes of one.

    worker       what a worker is and does: a network of known weights, and a tile at a time
    processes    workers that are processes of this machine
    ray_actors   workers that are actors of a Ray cluster (extra `cluster`)
    crew         chooses between them

A canvas is read and written by the process that was asked for the print. Only crops and gradients travel.
"""
