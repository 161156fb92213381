"""Keeping the secondary node (二级节点) in step: follows the log, knows no API of the register.

- What passes between both nodes, byte for byte?               `sync.proto.idlink.v1`
- What does a secondary node look like from here?              `sync.peer`
- Which digests do both sides compare?                         `sync.digests`
- How does one that speaks gRPC?                               `sync.grpc_link`
- How does one that speaks SNMS, records over REST?            `sync.snms`
- With which certificate, and is the peer's the right one?     `sync.link_identity`,
  `sync.link_handshake`, `sync.link_credentials`
- Whom does a gRPC server of ours let in?                      `sync.transport_security`,
  `sync.security_files`
- Who sends the log, keeps positions, obeys and compares?      `sync.relay`
- What does a secondary node do with it (reference program)?   `sync.secondary`
- How does the secondary node ask us to resolve?               `sync.enterprise_resolution`
"""
