"""What normal means: teaching on good parts, judging the others."""
