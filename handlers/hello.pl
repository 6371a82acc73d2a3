#!/usr/bin/perl
# hello.pl - runs in both modes: if descriptor 0 is a socket, CGI::Fast accepts
# requests on it; otherwise it answers one request.
# Try: /prefork/hello.pl and /cgi/hello.pl.  As CGI, it loads CGI.pm for every
# request.
use strict;
use warnings;
use CGI::Fast;

my $count = 0;

while (my $q = CGI::Fast->new) {
    print $q->header('text/plain');
    printf "Hello from Perl, process %d, request %d.\n", $$, ++$count;
}
