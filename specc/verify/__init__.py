"""The independent judge of an emitted module; it shares no formula with specc.calculus."""
