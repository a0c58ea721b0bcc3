"""Where the decision goes: the reject gate, seen from the agent."""
