"""Any implementation of IKEv2 tested against the model behind a small adapter, with ikeref as its peer."""
