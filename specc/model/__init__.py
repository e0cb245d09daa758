"""The checked network: names resolved, arguments bound, shapes known."""
