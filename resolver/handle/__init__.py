"""The native Handle protocol (RFC 3650, 3651, 3652 as deployed): codecs, server, listeners, client.

Which module to open for which question:

- Which numbers does the protocol use? Which version is spoken, and what did a version change?
  `codes`, `versions`
- How is a message read and written?
  `cursor` (primitives), `envelope`, `message`, `bodies`, `values`, `digests`
- What is in a value of a predefined type?
  `predefined`, `site`, `keys`, `signed_tokens`
- Who proves what to whom?
  `proofs` (challenges), `credentials` (MACs and signatures), `session_keys`
- How do messages arrive and leave, and what may one client or all of them take?
  `udp_listener`, `datagram_batches`, `fragments` (packets), `response_rate` (forged sources);
  `tcp_listener`, `tcp_connection`; `listener_counts`
- How is nearly everything answered before the server sees it?
  `hot_answers`
- What happens to a request?
  `server` (start here), `admission` (decoding, sessions), `exchange`, `reply_writer`; `resolving`,
  `administrative_requests`, `session_setup`, `idis`; `service` builds them, `refusals` names codes
- Who asks, and may he?
  `identity`, `authentication`, `rights` and `authorization`; `administration` (the operations, for
  every face), `edits` (what they make of values), `register_port` (the register behind them)
- What is kept between messages, and what may strangers cost?
  `challenges`, `sessions`, `session_numbers`, `session_relay` (several processes); `allowances`,
  `bounded_work`, `record_reader`
- What does this node say of itself and of other prefixes?
  `site_info`, `prefix_names`, `referrals`
- How does another program ask a Handle server?
  `client`
- Where does a record send people, and what do they see?
  `proxy`, `proxy_parameters`, `proxy_form`, `locations` (10320/loc), `proxy_pages`, `shown_record`
- What does the JSON API show of all this?
  `json_values`, `json_structures`
- How is the JSON API written to, and who may?
  `api_app` (which handler answers), `api_handles`, `api_services`, `api_session_routes`;
  `api_values` (values as clients write them), `api_parameters`, `api_request`, `api_replies`;
  `api_callers`, `api_authorization`, `api_sessions` (who asks)
- How do messages travel inside HTTP?
  `tunnel`

Where text and deployed software of the protocol differ, the deployed software is followed: every
peer is that software or a port of it. Codecs do no I/O and know no clock and no randomness;
whatever they cannot read raises InvalidInput, whose code is `handle_message`, and nothing else.
"""
