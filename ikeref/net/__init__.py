"""Where the protocol meets the world: UDP, the clock, the data plane, key logs and captures.

`transport.Node` drives one endpoint over UDP. Whoever wants to watch passes observers; `keylog.KeyLog` and
`capture.Capture` are two. `disturb.Disturbance` loses, duplicates and reorders on request.
"""
