#!/usr/bin/perl
# listener.pl - listener.c in Perl, with libfcgi-perl.
use strict;
use warnings;
use FCGI;
use Fcntl;
use IO::Handle;

# FCGI.pm replaces STDIN.
open(my $listener, '<&=', 0) or die $!;
my ($in, $out) = (IO::Handle->new, IO::Handle->new);
my %env;
my $request = FCGI::Request($in, $out, $out, \%env);
while ($request->Accept() >= 0) {
    my $query = $env{QUERY_STRING} // '';
    1 while read($in, my $chunk, 4096);
    fcntl($listener, F_SETFL, O_NONBLOCK) or die $! if $query eq 'nonblock';
    shutdown($listener, 2) or die $! if $query eq 'shutdown';
    print $out "Content-Type: text/plain\r\n\r\npid: $$\n";
}
