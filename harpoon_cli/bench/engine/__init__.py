"""The load engine: fires shots at one data plane on one core and says when each piece of an answer came."""
