"""What a change of a config does to those who use the gateway, told rule by rule. Nothing here opens a socket."""
