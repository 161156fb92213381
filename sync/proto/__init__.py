"""Contracts of the links to other nodes and, beside each, the code generated from it.

The `.proto` files are written by hand; `*_pb2*` is made from them by `make proto` and never edited.
A test regenerates and compares, another holds the contract to its recorded description: fields are
added, never renumbered, retyped or reused.
"""
