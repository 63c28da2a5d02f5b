"""What a user calls: one file for each public function."""
