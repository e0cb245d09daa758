"""Independent verification of emitted modules; it shares no formula with specc.calculus."""
