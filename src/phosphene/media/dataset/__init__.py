"""Datasets of labelled pictures: folders of class folders, tables (CSV), and pictures that are in memory."""
