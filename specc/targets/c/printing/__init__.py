"""Programs as statements and expressions of C."""
