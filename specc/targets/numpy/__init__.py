"""The target numpy: functions that return new arrays."""
