"""What flows in and out of pods: logs, commands, terminals, ports, archives."""
