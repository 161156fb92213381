"""The reference secondary node (二级节点): a persistent server of the contract `idlink.v1`.

- What does a call do?                                     `service`, for the log `log_stream`
- What is checked of a leaf and its opening?               `verification`
- How does a batch become leaves and records?              `batch`, `ledger`, `intake`
- When is a checkpoint cosigned, when refused?             `witness`, its key `witness_key`
- What is stated of a log and signed                       `receipts`
- Items sent again, records disowned                       `correction`
- Do both sides hold the same records?                     `reconciliation`
- Templates, routes, profiles, day reports, events         `documents`
- Orders to nodes                                          `directives`
- Who may call, for how long?                              `sync.transport_security`, `sessions`
- What does an error read like?                            `call_edge`, `item_refusal`
- Records that come by SNMS, without a log                 `snms_face`, `snms_registry`,
  `snms_accounts`
- How does it misbehave on purpose?                        `faults`, `spoiler`
- Where does it all lie?                                   `store`
- How is it put together, and taken down?                  `server`
- What does an operator do with it?                        `operation`, `self_audit`

Answers that a node relies on:

- A batch that begins after the leaves held is refused with NOT_FOUND at the first missing index;
  one that tells another leaf than is held, with CONFLICT at that index. Nothing of it is held then,
  and `acknowledged_size` is that index. Otherwise `acknowledged_size` is the end of the batch.
- A batch sent again gets the receipt and the refusals of the first time.
- Below a prefix that is not active nothing is taken, be it a revocation; it waits to be retried.
- A refused item keeps its place in the log. A later change of its identifier is applied without it;
  `RetryItems` applies it as long as no later one was.
- `CheckpointResult.size` of a refusal: the size cosigned for OLDER and STALE_OLD_SIZE, the leaves
  held otherwise. A checkpoint whose root is not that of the leaves held is INCONSISTENT also when
  it is older.
- Live records are those active or suspended, test ones included.
"""
