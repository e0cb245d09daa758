"""The target torch: functions that write into a preallocated workspace."""
