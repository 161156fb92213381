"""Contracts between an enterprise node (企业节点) and its secondary node (二级节点), by version."""
