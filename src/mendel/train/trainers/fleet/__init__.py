"""The trainer `fleet`: students of one base side by side."""
