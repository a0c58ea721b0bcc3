"""Who is told about a part: the plant over MQTT, a file of JSON lines."""
