#!/usr/bin/perl
# count.pl - count.c in Perl, with libfcgi-perl.
use strict;
use warnings;
use FCGI;
use IO::Handle;

my ($in, $out) = (IO::Handle->new, IO::Handle->new);
my $request = FCGI::Request($in, $out, $out);
while ($request->Accept() >= 0) {
    my ($n, $chunk) = (0, '');
    while (my $got = read($in, $chunk, 4096)) {
        $n += $got;
    }
    print $out "Content-Type: text/plain\r\n\r\nbytes: $n\n";
}
