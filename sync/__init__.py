"""Keeping the secondary node (二级节点) in step: follows the log, knows no API of the register.

Empty in this release: the relay, its adapters and the reference secondary node come next.
"""
