/* die_at_start.c - leaves before it accepts anything, with status 3. */
int
main(void)
{
	return 3;
}
