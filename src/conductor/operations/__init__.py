"""What can be asked of Conductor; the command line, REST and MCP are skins over it."""
