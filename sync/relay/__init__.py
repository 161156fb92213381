"""The node's side of the link: sends the log, keeps what is acknowledged, obeys orders.

- Who dials, waits and dials again?                                `relay`
- Do both sides speak of one log, and from where does it go on?    `opening`
- What if they do not, or if our own log is damaged?               `equivocation`
- What goes on during a session?                                   `session`
- Which batches are under way, and what do the answers prove?      `window`
- What becomes of items the peer does not take?                    `waiting_items`
- Which part of a template may the peer know?                      `shared_template`
- Do both sides hold the same records?                             `reconcile`
- What does the peer state and sign of the log?                    `receipts`
- Which figures of a day is it told?                               `day_reports`
- Which templates, routes, events?                                 `announcements`
- Which disturbances of this node are noticed?                     `node_watch`
- What does the peer order, and what is done?                      `directives`
- What is read of the log and written down about the link?         `ledger`
- … and of what else passes between both nodes?                    `report_book`
"""
