"""Keeping the secondary node (二级节点) in step: follows the log, knows nothing of the register's API.

Empty in this release: the relay, its adapters and the reference secondary node come next.
"""
