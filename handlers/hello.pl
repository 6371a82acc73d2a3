#!/usr/bin/perl
# hello.pl - one Perl file for both modes: CGI::Fast accepts when descriptor 0
# is a socket, and serves once when it is not.
# Try: /prefork/hello.pl and /cgi/hello.pl; the second one pays for loading
# CGI.pm every time.
use strict;
use warnings;
use CGI::Fast;

my $count = 0;

while (my $q = CGI::Fast->new) {
    print $q->header('text/plain');
    printf "Hello from Perl, process %d, request %d.\n", $$, ++$count;
}
