"""What the tests share: films, simulators, servers, golden pictures."""
