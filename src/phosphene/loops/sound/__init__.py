"""Loops that change sound: mono at the rate at which the network hears."""
