"""How two numbers or two runs are compared, and what is compared."""
