/* die_at_start.c - exits with status 3 before it accepts a connection. */
int
main(void)
{
	return 3;
}
