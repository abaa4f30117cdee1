"""What every dialect must do, and what each of them puts on the wire."""
