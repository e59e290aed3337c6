"""A capture of anybody's IKEv2 against the model: read, opened, followed at both ends, judged."""
