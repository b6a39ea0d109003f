"""Server: HTTP and WebSocket over the bank and the loop; the console is its page."""
